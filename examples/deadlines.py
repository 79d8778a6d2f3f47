"""Task groups and deadlines: the first of several answers, a limit for each question, and one for all of them."""

from hubcore import TaskGroup, fail_after, move_on_after, sleep

MIRRORS = {"near": 0.02, "far": 0.2, "broken": None}


def ask(mirror):
    """Answer after some time; a broken mirror never does. This stands for a request."""
    seconds = MIRRORS[mirror]
    sleep(3600 if seconds is None else seconds)
    return f"the answer of {mirror}"


def first_answer():
    """Ask all mirrors, take the first answer, and drop the others."""
    answers = []

    def ask_one(mirror):
        answers.append(ask(mirror))
        group.cancel("there is an answer")

    with TaskGroup() as group:
        for mirror in MIRRORS:
            group.spawn(ask_one, mirror)
    return answers[0]


def all_answers(limit):
    """Ask all mirrors at once; each has `limit` seconds. A mirror that is late has the answer None."""
    answers = dict.fromkeys(MIRRORS)

    def ask_one(mirror):
        with move_on_after(limit):
            answers[mirror] = ask(mirror)

    with TaskGroup() as group:
        for mirror in MIRRORS:
            group.spawn(ask_one, mirror)
    return answers


def main():
    print("first:", first_answer())
    for mirror, answer in all_answers(0.6).items():
        print(f"{mirror}:", answer or "too late")
    try:
        with fail_after(0.1):
            all_answers(60)
    except TimeoutError:
        print("all of them: too late")


if __name__ == "__main__":
    main()
