"""A replica follows its source, another gateway's service, by the standard mode there.

options.py     what a configuration says of the source
source.py      what is asked of it, over HTTP
fetching.py    versions, fetched and stored by several threads at once
told.py        what its answers mean; and what cannot be meant
values.py      single values of these
following.py   its change feed: what comes next is fetched, and taken in order
comparing.py   all that it has, where the feed does not say what came since
"""
