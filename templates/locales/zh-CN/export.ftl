# Copies of the history.

export = 导出
export-csv = CSV（适用于 Excel）
export-xlsx = XLSX
export-ndjson = ndjson（与 API 相同）
export-xml = XML（B 站弹幕）
