"""The inside of the Bot API emulator.

Users import `botapi` one folder up and nothing from here. The parts have a
package of their own so that short module names such as `clock` or `render`
cannot clash with other test code. What must stay true: standard library only,
loopback only, and every part takes the one lock of `state.State`.
"""
