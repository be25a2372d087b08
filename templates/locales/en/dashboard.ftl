# The dashboard.

choice-find = Streamer, title or number
choice-show = Which rooms
choice-area = Area
choice-group = Group
show-all = All states
show-every = Show all rooms
area-all = All areas
group-none = No groups
group-area = By area
group-state = By state
none-chosen = No room is like that
