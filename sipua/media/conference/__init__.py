"""Several calls in one room: everybody hears all others, and nobody itself."""

from sipua.media.conference.member import Member
from sipua.media.conference.room import Conference

__all__ = ["Conference", "Member"]
