-- The list of one process, in its memory alone (worklist.py).
CREATE TABLE list (reference TEXT PRIMARY KEY, sent REAL, day TEXT, outcome INT, status TEXT, until TEXT, rank INT,
                   todo INT, counted TEXT) WITHOUT ROWID;
CREATE INDEX by_rank ON list (rank DESC, sent DESC);
CREATE INDEX by_sent ON list (sent DESC);
CREATE INDEX by_day ON list (day, outcome);
CREATE INDEX by_todo ON list (todo, rank DESC, sent DESC);
CREATE INDEX by_todo_and_day ON list (todo, day, outcome);
CREATE INDEX by_todo_and_outcome ON list (todo, outcome, rank DESC, sent DESC);
CREATE INDEX by_outcome ON list (outcome, rank DESC, sent DESC);
CREATE INDEX by_status ON list (status, rank DESC, sent DESC);
CREATE INDEX by_status_and_day ON list (status, day, outcome);
CREATE INDEX by_until ON list (until, rank) WHERE until IS NOT NULL;

-- So that no page counts the whole list. `what` is an outcome, UNREADABLE or, as text, a question that is open.
CREATE TABLE counts (day TEXT, what, number INT, PRIMARY KEY (day, what)) WITHOUT ROWID;
CREATE TRIGGER arrived AFTER INSERT ON list BEGIN
    INSERT INTO counts SELECT new.day, value, 1 FROM json_each(new.counted) WHERE true
    ON CONFLICT DO UPDATE SET number = number + 1;
END;
CREATE TRIGGER left AFTER DELETE ON list BEGIN
    UPDATE counts SET number = number - 1
    WHERE day = old.day AND what IN (SELECT value FROM json_each(old.counted));
END;
