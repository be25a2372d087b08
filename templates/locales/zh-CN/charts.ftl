# 图表页。

chart-lines = 弹幕、互动与观众
chart-compare = 房间走势
chart-week = 一周热度
chart-week-note = 每小时平均弹幕数，最近 { $days } 天，北京时间；颜色越深越热闹，“–”表示从未接收。
chart-as-of = 数据截至 { $time }。
chart-nothing = 这段时间没有收到任何弹幕。
zoom-from = 放大：起点
zoom-to = 放大：终点
zoom-reset = 显示全部
weekday-1 = 周一
weekday-2 = 周二
weekday-3 = 周三
weekday-4 = 周四
weekday-5 = 周五
weekday-6 = 周六
weekday-7 = 周日
chart-usual-none = 暂无“通常范围”：需要三场（或三周）基本完整接收的往期数据；按分钟时，这段时间内还须有直播。
chart-cloud = 词云
cloud-lines = { $n } 条弹幕
cloud-of = 取自所选时段内最新的 { $n } 条弹幕。
cloud-phrase = 词句
cloud-count = 条数
cloud-nothing = 这段时间的弹幕太少：一个词句至少要出现在三条弹幕里。
cloud-table = 以表格查看词句
