//! Pure functions from source tables to documents
