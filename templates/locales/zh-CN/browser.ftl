# 弹幕页。

facets = 筛选已载入的内容
facet-price = 金额
facet-paid = 付费
facet-user = 用户
facet-badge = 粉丝牌
facet-masked = 用户隐藏
facet-known = 只看公开
facet-hidden = 只看隐藏
highlight = 高亮词
highlight-how = 以空格分隔
results-total = 共 { $n } 条，
export-view = 导出所见
facets-hide-all = 已载入的内容都被筛选条件隐藏了。
