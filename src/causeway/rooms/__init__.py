"""One room per integration; rooms do not import each other."""
