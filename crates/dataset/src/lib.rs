//! Makes pushed documents: the sample, real ones, production size
