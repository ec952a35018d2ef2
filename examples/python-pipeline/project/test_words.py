import unittest

from words import words


class Words(unittest.TestCase):
    def test_blanks_of_all_kinds_part_words(self):
        self.assertEqual(words("one two\tthree\n four "), 4)

    def test_nothing_has_none(self):
        self.assertEqual(words(" \n"), 0)
