# 房间页。

coverage-day = 24 小时覆盖率
to-thank = 待感谢
thank-only = 只看未感谢
to-thank-empty = 最近 24 小时没有醒目留言、大航海或大额礼物。
all-masked = 用户身份被平台隐藏，无法排行；登录 B 站账号后可见。
timeline = 时间线
timeline-empty = 最近没有开播、标题变更或中断。
blind-boxes = 盲盒盈亏
last-days = 最近 { $n } 天
box = 盲盒
box-count = 个数
box-paid = 花费
box-value = 开出价值
box-result = 观众盈亏
box-unpriced = 价格未知
no-boxes = 这段时间没有人开盲盒。
