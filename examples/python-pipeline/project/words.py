import sys


def words(text):
    return len(text.split())


if __name__ == "__main__":
    for name in sys.argv[1:]:
        with open(name, encoding="utf-8") as file:
            print(name, words(file.read()))
