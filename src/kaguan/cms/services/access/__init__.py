"""Who is asking: sign-in, sessions, passwords, second factors, and the close of the day.

Law. A failure is counted before it is told, and told in the same words whether name or password was wrong.
Law. What opens a door is given out once and never stored: passwords are hashed, tokens digested, factors sealed.
Law. Whoever signs in elsewhere is signed out here.
"""
