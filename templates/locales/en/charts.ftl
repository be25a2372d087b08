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
chart-usual-none = No usual range yet: it needs three earlier broadcasts (or weeks) that were received nearly whole, and by the minute a broadcast in this span.
chart-cloud = What is said most
cloud-lines = { $n } lines
cloud-of = From the newest { $n } lines of the chosen span.
cloud-phrase = Phrase
cloud-count = Lines
cloud-nothing = Too little was said in this span: a phrase must stand in three lines.
cloud-table = The phrases as a table
