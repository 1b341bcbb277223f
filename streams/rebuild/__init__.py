"""Makes the state anew from Kafka, after Redis was lost for good.

The source topics say what happened, the other topics what consumers have heard of it. So all events are taken again,
and what follows from them is compared with what was published: what is not there yet is published, and numbering goes
on from there.

While it works, each partition is marked, so that no worker takes it; it begins again from nothing if it is broken off,
since the topics tell then too what was published, by the one broken off as well.
"""
