"""Video: frames of any aiortc track to the peer, and the peer's frames to the application.

Encoding, decoding, RTP and feedback are aiortc's (VP8 and H.264). What is added here: sources that may change at any
time, mute, pictures of what comes, and the second m-line of a call.
"""
