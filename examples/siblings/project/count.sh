#!/bin/sh
# How many words there are on standard input.
wc -w | tr -d ' '
