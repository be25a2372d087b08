new-rows = { $n } x
