# Copies of the history.

export = Export
export-csv = CSV (for Excel)
export-xlsx = XLSX
export-ndjson = ndjson (as in the API)
export-xml = XML (Bilibili danmaku)
