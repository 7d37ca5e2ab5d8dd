//! Against plain lists.
