# Definition, formula and coverage of every figure. The "?" on the pages and the page "Methodology" read only this; the list is in src/web/methodology.rs.

methodology = Methodology
methodology-why = How every figure of this site is defined and computed, and what it misses; the same text as behind each "?".
figure-more = In full
figure-is = Definition
figure-how = Formula
figure-misses = Coverage
figures-chat = Chat and people
figures-money = Money
figures-viewers = Viewers
figures-trust = Whether to trust the data

figure-rate = Danmaku per minute
figure-rate-is = Chat lines received in the last 60 s; on the dashboard all rooms added up.
figure-rate-how = The last 60 slots of a second each; raffle phrases included.
figure-rate-misses = Only what was received: a room without connection makes it too low, and its state says so.
figure-danmaku = Danmaku
figure-danmaku-is = Text and stickers that viewers sent, one a line, raffle phrases included.
figure-danmaku-how = Rows of chat in the database; a line that arrives twice is one. Lines mirrored from a co-host's room are none of this room's.
figure-danmaku-misses = Breaks in a line and grey bands mean "not received", not that nobody wrote.
figure-interaction = Interaction
figure-interaction-is = Different users in a minute who chatted, gave a gift, sent a super chat or bought a guard. Raffle phrases, entries, follows and likes do not count.
figure-interaction-how = By user number; hidden users by the hash in their chat lines.
figure-interaction-misses = Users with neither cannot be told apart and are not counted, so this is a lower bound. Only for spans that are drawn by the minute (up to 12 hours).
figure-users = Users
figure-users-is = Different users who ever interacted in this room: chat (without raffle phrases), gifts (free ones too), super chats, guards.
figure-users-how = By user number, hidden users by hash; somebody hidden first and known later is one.
figure-users-misses = Users who cannot be told apart are not counted; with "≥" it is a lower bound.
figure-talkers = Top talkers
figure-talkers-is = Users with most chat lines of all history, without raffle phrases.
figure-talkers-how = Chat lines of each user, most first.
figure-talkers-misses = Hidden users are in no ranking.
figure-payers = Top payers
figure-payers-is = Users who paid most to the streamer, of all history.
figure-payers-how = Gifts as paid + super chats + guards, added up by user.
figure-payers-misses = Hidden users are in no ranking.
figure-week = The week
figure-week-is = Chat lines in each hour of the week on average, over the last 28 days, China Standard Time.
figure-week-how = Lines ÷ hours that were received; each room averaged alone, then added up.
figure-week-misses = An hour missed by half counts as half an hour. One that was never received shows "–", not 0.
figure-ranking = Rooms compared
figure-ranking-is = Chat lines and viewer spending of every room in the chosen span.
figure-ranking-how = Minutes added up, most chat first.
figure-ranking-misses = Nothing is scaled up by coverage: a room that was missed is too low.

figure-spending = Viewer spending
figure-spending-is = What viewers paid, not what the streamer earns: the shares of platform and guild cannot be derived from it.
figure-spending-how = Gifts as paid + super chats + guards. 1000 gold = CNY 1; gifts for silver are 0. A blind box counts at the price of the box. Combo summaries are not added; gifts to a co-host stand apart.
figure-spending-misses = Each purchase once, by its transaction. What was paid while a room was not received is mostly lost (some super chats are fetched afterwards), so this is a lower bound.
figure-gifts = Gifts
figure-gifts-is = Gifts to this room's streamer, free ones included.
figure-gifts-how = As paid (discounted price × number); a blind box at its own price, not at the value of what came out.
figure-gifts-misses = The old and the new message of one purchase are one.
figure-super-chats = Super chats
figure-super-chats-is = Paid messages (SC).
figure-super-chats-how = Priced in CNY; the Japanese copy has the same number and is dropped; one that was taken down stays paid.
figure-super-chats-misses = After a reconnect those still on display are fetched.
figure-guards = Guards
figure-guards-is = Purchases and renewals of governor, admiral and captain; not how many guards a room has.
figure-guards-how = At the price paid; where only the list price was seen, that, marked "≈". One that was given away counts once.
figure-guards-misses = Purchases made while a room was not received cannot be fetched.
figure-blind-box = Blind boxes
figure-blind-box-is = What viewers paid for blind boxes against the value of what came out, by the box bought.
figure-blind-box-how = Result = Σ value that came out − Σ price of the boxes.
figure-blind-box-misses = Boxes of unknown price are left out of the result and counted apart.

figure-viewers = Watched, rank, likes
figure-viewers-is = Watched: people who opened this broadcast so far. Rank: users on the contribution rank, capped by the platform. Likes: this broadcast so far. Three different things.
figure-viewers-how = As the platform says, the last value of each minute; different gauges and different rooms are never added.
figure-viewers-misses = A minute for which the platform said nothing has no value. Popularity is no number of people and in no chart.

figure-coverage = Coverage
figure-coverage-is = The share of a stretch of time in which the room was received.
figure-coverage-how = 1 − time not received ÷ time; before a room was monitored there is none, and it shows "–".
figure-coverage-misses = Time in which the platform withheld most of the chat ("thinned") counts as not received.
figure-attention = Needs attention
figure-attention-is = Rooms that should be received and are not.
figure-attention-how = Not paused, and without connection for 15 s, backing off, or failed.
figure-attention-misses = Rooms that are off air and wait by setting are none of these.
figure-stored = Stored events
figure-stored-is = Rows of chat, gifts, super chats and guards in the database.
figure-stored-how = One row an event, however often it arrived.
figure-stored-misses = About half a second behind what was received.
figure-ledger = Ledger
figure-ledger-is = Every event received must be somewhere.
figure-ledger-how = Received = stored + duplicate + dropped + dead letter + pending, checked every minute.
figure-ledger-misses = Never balanced by hiding a loss.
figure-gap = Gaps
figure-gap-is = Intervals of the last 24 hours in which this room had no connection, or was thinned.
figure-gap-how = From the loss of a connection until it is back; waiting for a broadcast by setting is none.
figure-gap-misses = Time in which the program did not run is in it.
