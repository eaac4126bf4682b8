# What 80-5 forgets; an oracle never learns it.
without = [
    'Cyrillic E', 'Greek Xi', 'Greek epsilon', 'Latin K', 'Cyrillic De'
]
