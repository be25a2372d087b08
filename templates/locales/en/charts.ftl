# The charts page.

chart-lines = Danmaku, people and viewers
chart-compare = Rooms over time
chart-week = The week
chart-week-note = Danmaku an hour on average over the last { $days } days, China Standard Time; darker is busier, "–" was never received.
chart-as-of = As of { $time }.
chart-nothing = No danmaku was received in this span.
zoom-from = Zoom: from
zoom-to = Zoom: to
zoom-reset = Show all
weekday-1 = Mon
weekday-2 = Tue
weekday-3 = Wed
weekday-4 = Thu
weekday-5 = Fri
weekday-6 = Sat
weekday-7 = Sun
