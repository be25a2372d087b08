# 每个数字的定义、算法与覆盖情况。页面上的“?”与“统计口径”页都只读这里；清单在 src/web/methodology.rs。

methodology = 统计口径
methodology-why = 本站每个数字的定义、算法和“漏了多少”，与各页“?”中的内容同源。
figure-more = 完整口径
figure-is = 定义
figure-how = 算法
figure-misses = 覆盖
figures-chat = 弹幕与人
figures-money = 消费
figures-viewers = 观众
figures-trust = 数据是否可信

figure-rate = 每分钟弹幕
figure-rate-is = 最近 60 秒收到的弹幕条数；总览页上是所有房间之和。
figure-rate-how = 每秒一格，取最近 60 格之和；抽奖口令计入。
figure-rate-misses = 只含实际收到的；房间未连接时会低估，并显示连接状态。
figure-danmaku = 弹幕
figure-danmaku-is = 观众发送的文字与表情，一条一次，抽奖口令计入。
figure-danmaku-how = 数据库中弹幕行数；同一条重复收到只算一次。连麦房间镜像来的弹幕不算本房间的。
figure-danmaku-misses = 图表中断线与灰色区段表示未接收，不代表没有人发言。
figure-interaction = 互动人数
figure-interaction-is = 每分钟内发过弹幕、送过礼物、发过醒目留言或开过大航海的不同用户数。抽奖口令、进场、关注、点赞不算。
figure-interaction-how = 按用户编号去重；被隐藏的用户按弹幕中的散列去重。
figure-interaction-misses = 没有编号也没有散列的用户无法区分，不计入，因此是下限。只在按分钟的时段（12 小时以内）提供。
figure-users = 互动用户
figure-users-is = 有史以来在本房间互动过的不同用户：弹幕（抽奖口令除外）、礼物（含免费）、醒目留言、大航海。
figure-users-how = 按用户编号去重；被隐藏的用户按散列去重；同一人先隐藏后公开只算一次。
figure-users-misses = 无法识别的用户不计入；前有“≥”时是下限。
figure-talkers = 发言最多
figure-talkers-is = 全部历史中弹幕最多的用户，抽奖口令不算。
figure-talkers-how = 每个用户的弹幕数，从高到低。
figure-talkers-misses = 被隐藏的用户不进任何排行。
figure-payers = 消费最多
figure-payers-is = 全部历史中对主播消费最多的用户。
figure-payers-how = 礼物实付 + 醒目留言 + 大航海，按用户相加。
figure-payers-misses = 被隐藏的用户不进任何排行。
figure-week = 一周热度
figure-week-is = 一周中每个小时平均有多少条弹幕，取最近 28 天，北京时间。
figure-week-how = 该时段弹幕数 ÷ 实际接收的小时数；每个房间各自平均后相加。
figure-week-misses = 漏收一半的小时只按半小时计；从未接收的时段显示“–”，不是 0。
figure-ranking = 房间对比
figure-ranking-is = 所选时段内各房间的弹幕数和观众消费，所有房间都在内。
figure-ranking-how = 由分钟统计相加，按弹幕数排序。
figure-ranking-misses = 不按覆盖率放大：漏收的房间会偏低。

figure-spending = 观众消费
figure-spending-is = 观众付出的钱（流水），不是主播收入；平台与公会的分成无法由此算出。
figure-spending-how = 礼物实付 + 醒目留言 + 大航海。1000 金瓜子 = 1 元；银瓜子礼物为 0。盲盒按盒价。连击汇总消息不重复计算；连麦时送给其他主播的另列，不计入。
figure-spending-misses = 每笔按交易号去重。未接收期间的消费大多无法补回（醒目留言可补一部分），因此是下限。
figure-gifts = 礼物
figure-gifts-is = 送给本房间主播的礼物，含免费礼物。
figure-gifts-how = 实付金额（折后单价 × 数量）；盲盒按盒价，不按开出的价值。
figure-gifts-misses = 同一笔交易的新旧两种消息只算一次。
figure-super-chats = 醒目留言
figure-super-chats-is = 付费留言（SC）。
figure-super-chats-how = 价格以元计；日文版重复消息按编号去重；被撤下的仍算已支付。
figure-super-chats-misses = 重连后会补取仍在展示的醒目留言。
figure-guards = 大航海
figure-guards-is = 开通或续费总督、提督、舰长的次数和金额；不是在籍人数。
figure-guards-how = 以实付价为准；只收到标价时按标价计并标“≈”。赠送的大航海只算一次。
figure-guards-misses = 未接收期间的开通补不回来。
figure-blind-box = 盲盒盈亏
figure-blind-box-is = 观众买盲盒花的钱与开出礼物价值之差，按买的盒子分组。
figure-blind-box-how = 盈亏 = 开出价值之和 − 盒价之和。
figure-blind-box-misses = 盒价未知的不参与盈亏，单独列出个数。

figure-viewers = 看过、高能、点赞
figure-viewers-is = 看过：本场累计看过的人数。高能：贡献榜上的用户数，平台有上限。点赞：本场累计。三者含义不同。
figure-viewers-how = 取平台给出的数，每分钟留最后一个；不同的数、不同的房间从不相加。
figure-viewers-misses = 平台没有给出的分钟没有值。人气不是人数，不在任何图表中。

figure-coverage = 覆盖率
figure-coverage-is = 某段时间里，房间实际被接收的比例。
figure-coverage-how = 1 − 未接收时长 ÷ 总时长；未开始监控的时间不算，显示“–”。
figure-coverage-misses = 已连接但被平台限流（“稀疏”）的时间算作未接收。
figure-attention = 需要留意
figure-attention-is = 应接收而未接收的房间。
figure-attention-how = 未暂停，且 15 秒以上未连接、正在退避或已失败。
figure-attention-misses = 未开播而按设置等待的房间不算。
figure-stored = 已入库
figure-stored-is = 数据库中的弹幕、礼物、醒目留言、大航海行数。
figure-stored-how = 同一事件无论收到几次只有一行。
figure-stored-misses = 比收到的晚约半秒。
figure-ledger = 对账
figure-ledger-is = 收到的每一个事件必须有下落。
figure-ledger-how = 收到 = 已存 + 重复 + 丢弃 + 死信 + 在途，每分钟核对一次。
figure-ledger-misses = 不会用隐藏丢失的办法配平。
figure-gap = 未接收时段
figure-gap-is = 最近 24 小时内本房间没有连接或被限流的区间。
figure-gap-how = 从连接断开到恢复；未开播而按设置等待的不算。
figure-gap-misses = 程序未运行的时间也在内。
