# What the first task of 80-10x7 forgets; an oracle never learns it.
without = [
    'Cyrillic I', 'Latin f', 'Latin T', 'Greek Lamda', 'Latin a', 'Cyrillic E', 'Greek Xi',
    'Greek epsilon', 'Latin K', 'Cyrillic De'
]
