# What visitors are told who may not see or do something.

error-too_many_requests = 来自您地址的请求过于频繁，请稍候再刷新。
error-hidden = 本站公开模式不显示金额和观众信息，请在管理页登录后查看。
error-read_only = 此密钥只能读取，不能修改。
