def begun(:
