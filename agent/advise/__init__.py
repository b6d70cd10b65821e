"""Advice: which way of answering fits a folder of documents, by measuring each on questions."""
