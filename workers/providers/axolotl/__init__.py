"""Axolotl as a backend: a configuration translated to its YAML. One file for each section of a configuration, as for `local`:
what Axolotl gets of it, by the names of its own schema, and what is said of each of its fields.
"""
