"""The command ``gslora``: parsers that answer at once, and import the rest late.

It stands beside ``gslora_det`` and not in it, because importing a part of a package imports the
package: torch and MMDetection, which takes seconds.
"""
