"""Real processes, killed with SIGKILL at named steps, and the house found in order afterwards.

`points` lists the steps, one line each; `house` is the installation they happen in, `order` says
what must be true once the house is at work again. A new path is a function in `points` with one
`yield` (before it: what was there; behind it: what is killed) and a line for each of its steps.
"""
