//! The error tables and forms of the DAG commands.
