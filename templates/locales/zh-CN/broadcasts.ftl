# 直播间的场次。

broadcasts = 场次
broadcast-now = 本场直播
broadcast-last = 上一场直播
broadcast-began = 开播
length = 时长
broadcast-people = 互动人数
broadcast-peak = 弹幕峰值（每分钟）
broadcast-rank = 高能峰值
broadcast-uncounted = 现在统计这一场的人数太费时，请稍后再看。
broadcast-no-end = 没有收到下播消息：最晚在此时结束。
broadcasts-none = 最近 { $n } 天没有收到开播消息。开始监控之前就已开播的场次，在直播期间会显示在这里。
usual = 通常
compared-too-few = 暂无对比：需要 { $least } 场基本完整接收的往期直播，目前有 { $n } 场。
compared-whole = 与往期 { $n } 场的整场中位数相比。
compared-so-far = 与往期 { $n } 场开播 { $time } 时的中位数相比。
