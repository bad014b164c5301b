-- The list of one process, in its memory alone (worklist.py). `sent` is in microseconds since 1970,
-- `day` is the ordinal of a Python date in the clinic's time zone.
CREATE TABLE list (reference TEXT UNIQUE, sent INT, day INT, outcome INT, status TEXT, until TEXT,
                   rank INT, todo INT, counted TEXT, appointment INT, prescriber TEXT, replaces TEXT);
-- Each index costs memory in each process. Three of them include the outcome, so that counting reads
-- the index alone.
CREATE INDEX by_rank ON list (rank DESC, sent DESC, outcome);
CREATE INDEX by_sent ON list (sent DESC);
CREATE INDEX by_todo ON list (todo DESC, rank DESC, sent DESC, outcome);
CREATE INDEX by_status ON list (status, rank DESC, sent DESC, outcome);
-- `appointment`, like `sent`, and `prescriber` are NULL without an appointment.
CREATE INDEX by_prescriber ON list (prescriber) WHERE prescriber IS NOT NULL;
-- `replaces` is the first reference where the patient has changed answers.
CREATE INDEX by_replaced ON list (replaces) WHERE replaces IS NOT NULL;
CREATE INDEX by_until ON list (until, rank) WHERE until IS NOT NULL;

-- Counts by day, so that no page counts the whole list. `what` is an outcome, UNREADABLE or, as text,
-- an open question.
CREATE TABLE counts (day INT, what, number INT, PRIMARY KEY (day, what)) WITHOUT ROWID;
CREATE TRIGGER arrived AFTER INSERT ON list BEGIN
    INSERT INTO counts SELECT new.day, value, 1 FROM json_each(new.counted) WHERE true
    ON CONFLICT DO UPDATE SET number = number + 1;
END;
CREATE TRIGGER left AFTER DELETE ON list BEGIN
    UPDATE counts SET number = number - 1
    WHERE day = old.day AND what IN (SELECT value FROM json_each(old.counted));
END;
