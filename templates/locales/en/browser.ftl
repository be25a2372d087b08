# The danmaku browser.

facets = Narrow what is loaded
facet-price = Price
facet-paid = Paid
facet-user = User
facet-badge = Badge
facet-masked = Hidden users
facet-known = Known only
facet-hidden = Hidden only
highlight = Highlight
highlight-how = words, separated by spaces
results-total = { $n } in all,
export-view = Export view
facets-hide-all = Everything that is loaded is hidden by the filters.
