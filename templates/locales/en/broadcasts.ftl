# A room's broadcasts.

broadcasts = Broadcasts
broadcast-now = This broadcast
broadcast-last = The last broadcast
broadcast-began = Began
length = Length
broadcast-people = People
broadcast-peak = Peak per minute
broadcast-rank = Peak rank
broadcast-uncounted = Counting its people would take too long just now; look again later.
broadcast-no-end = Its end was not received: it ended then at the latest.
broadcasts-none = No begin of a broadcast was received in the last { $n } days. A broadcast that began before the room was monitored stands here while it runs.
usual = usually
compared-too-few = No comparison yet: it needs { $least } earlier broadcasts that were received nearly whole, and there are { $n }.
compared-whole = Beside the median of { $n } earlier broadcasts, each as a whole.
compared-so-far = Beside the median of { $n } earlier broadcasts, as they stood after { $time }.
