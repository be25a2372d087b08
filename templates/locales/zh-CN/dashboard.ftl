# 主仪表板。

choice-find = 主播、标题或房间号
choice-show = 显示哪些直播间
choice-area = 分区
choice-group = 分组
show-all = 全部状态
show-every = 显示全部直播间
area-all = 全部分区
group-none = 不分组
group-area = 按分区分组
group-state = 按状态分组
none-chosen = 没有符合条件的直播间
