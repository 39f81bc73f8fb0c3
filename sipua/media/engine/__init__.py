"""The audio engine: one clock, RTP and RTCP for every call, on aiortc's ICE, DTLS and SRTP."""
