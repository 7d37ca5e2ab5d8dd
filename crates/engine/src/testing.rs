//! A clock and a backend that tests drive by hand.
