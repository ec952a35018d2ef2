CREATE TABLE words (word text PRIMARY KEY, seen integer NOT NULL CHECK (seen > 0));
