# A room's page.

coverage-day = Coverage, 24 h
to-thank = To be thanked
thank-only = Only those left
to-thank-empty = No super chat, guard or big gift in the last 24 hours.
all-masked = The platform hides who chats, so nobody can be ranked; with a Bilibili account they are seen.
timeline = Timeline
timeline-empty = No broadcast, change of title or gap of late.
blind-boxes = Blind boxes
last-days = last { $n } days
box = Box
box-count = Number
box-paid = Paid
box-value = Came out
box-result = Viewers' result
box-unpriced = of unknown price
no-boxes = Nobody opened a blind box in this time.
