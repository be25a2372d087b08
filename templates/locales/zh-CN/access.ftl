# 密钥、分享链接、批量添加、操作日志、OBS 叠加层。

access-keys = 密钥与分享链接
why-access-keys = 密钥以 “Authorization: Bearer …” 发送。管理密钥可以修改；只读密钥和分享链接可以看到公开模式隐藏的内容。只保存哈希值，密钥仅显示一次。
access-made = 已生成，仅此一次显示：
access-name = 用途
access-scope = 权限
access-read = 只读
access-admin = 管理
access-share = 分享链接（只读）
access-make = 生成密钥
access-remove = 收回
access-none = 还没有密钥
audit = 操作日志
why-audit = 每一次被允许的修改：谁、从哪里、做了什么、结果如何。显示最近 50 条，最多保留 10,000 条。
audit-actor = 操作者
audit-action = 操作
audit-outcome = 结果
audit-none = 还没有任何修改
settings = 设置
why-settings = 本次启动时的设置。在命令行、环境变量或配置文件中修改，重启后生效。
done-key-removed = 密钥已收回。
bulk = 批量添加
bulk-typed = 直播间号或链接，每行一个或用逗号分隔
bulk-add = 全部开始监控
bulk-added = 已开始监控
overlay = 叠加层
overlay-for = OBS 叠加层
