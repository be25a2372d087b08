# 直播间的场次。

broadcasts = 场次
broadcast-now = 本场直播
broadcast-last = 上一场直播
broadcast-began = 开播
length = 时长
broadcast-people = 互动人数
broadcast-peak = 弹幕峰值（每分钟）
broadcast-rank = 高能峰值
broadcast-uncounted = 未统计：超过 6 万条的场次统计太费时（有几场较大时，下次打开再统计其余的），或其明细已不再保留。
broadcast-no-end = 没有收到下播消息：最晚在此时结束。
broadcasts-none = 最近 { $n } 天没有收到开播消息。开始监控之前就已开播的场次，在直播期间会显示在这里。
usual = 通常
broadcasts-newest = 最近 { $n } 场
compared-in-doubt = 不作比较：接收不足 90%，或没有收到下播消息。
compared-too-few = 暂无对比：需要 { $least } 场基本完整接收的往期直播，目前有 { $n } 场。
compared-whole = 与往期 { $n } 场的整场中位数相比。
compared-so-far = 与往期 { $n } 场开播 { $time } 时的中位数相比。
