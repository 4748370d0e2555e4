"""An interpreter with objects: queens, a dictionary of words, a small simulation, big integers."""
import sys


class Body:
    __slots__ = ('place', 'speed')

    def __init__(self, place, speed):
        self.place = place
        self.speed = speed

    def step(self):
        self.place = (self.place + self.speed) % 1009
        if self.place % 7 == 0:
            self.speed = -self.speed + 1


def queens(size, row=0, columns=0, left=0, right=0):
    if row == size:
        return 1
    count = 0
    free = ~(columns | left | right) & ((1 << size) - 1)
    while free:
        bit = free & -free
        free ^= bit
        count += queens(size, row + 1, columns | bit, (left | bit) << 1, (right | bit) >> 1)
    return count


def words(count):
    seen = {}
    number = 42
    for _ in range(count):
        number = (number * 1103515245 + 12345) & 0x7FFFFFFF
        word = 'w%x' % (number >> 20)
        seen[word] = seen.get(word, 0) + 1
    return sum(len(word) * times for word, times in sorted(seen.items()))


def simulate(steps):
    bodies = [Body(i * 37 % 1009, i % 11 - 5) for i in range(50)]
    for _ in range(steps):
        for body in bodies:
            body.step()
    return sum(body.place for body in bodies)


scale = int(sys.argv[1]) if len(sys.argv) > 1 else 1
total = 0
for _ in range(scale):
    total += queens(8) + words(30000) + simulate(600)
    total += pow(3, 3000) % 1000003
print(total)
