"""Talking HTTP/1.1 to upstreams: the one client that all drivers stand on.

pool.py         kept-alive connections, how many there are and who waits for them
connection.py   one of them: bytes go out, a head and a body come back
dialing.py      names looked up, addresses reached, TLS begun
networks.py     which addresses may be connected to
answers.py      the strict reading of answers
receiving.py    an answer as it comes, its body streaming
fields.py stretch.py
                header fields; which bytes of an object an answer has
"""
