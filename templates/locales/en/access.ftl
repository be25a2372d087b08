# Keys, share links, many rooms at once, the audit log, the overlay.

access-keys = Keys and share links
why-access-keys = A key is sent as "Authorization: Bearer …". Administrating keys may change things; reading keys and share links may see what a site in public mode hides. Only a hash is kept: the key is shown once.
access-made = Made; it is shown only now:
access-name = What is it for?
access-scope = What may it do?
access-read = Read
access-admin = Administrate
access-share = Share link (read)
access-make = Make a key
access-remove = Take back
access-none = No key has been made
audit = Audit log
why-audit = Every change that somebody was admitted to: who, from where, what, and what came of it. The newest 50 of at most 10,000.
audit-actor = Who
audit-action = What
audit-outcome = Outcome
audit-none = Nothing has been changed yet
settings = Settings
why-settings = As this run was started. They are changed on the command line, in the environment or in the file, and need a new start.
done-key-removed = The key opens nothing any more.
bulk = Many at once
bulk-typed = Room numbers or links, one a line or with commas
bulk-add = Monitor all of them
bulk-added = monitored now
overlay = Overlay
overlay-for = Overlay for OBS
