//! Values to saved bytes and back, without a Redis type.
