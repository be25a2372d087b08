# A room's broadcasts.

broadcasts = Broadcasts
broadcast-now = This broadcast
broadcast-last = The last broadcast
broadcast-began = Began
length = Length
broadcast-people = People
broadcast-peak = Peak per minute
broadcast-rank = Peak rank
broadcast-uncounted = Not counted: with more than 60,000 lines it would take too long (of several large ones, some are counted the next time), or its lines are no longer kept.
broadcast-no-end = Its end was not received: it ended then at the latest.
broadcasts-none = No begin of a broadcast was received in the last { $n } days. A broadcast that began before the room was monitored stands here while it runs.
usual = usually
broadcasts-newest = the newest { $n }
compared-in-doubt = Not compared: less than 90% of it was received, or its end was not.
compared-too-few = No comparison yet: it needs { $least } earlier broadcasts that were received nearly whole, and there are { $n }.
compared-whole = Beside the median of { $n } earlier broadcasts, each as a whole.
compared-so-far = Beside the median of { $n } earlier broadcasts, as they stood after { $time }.
