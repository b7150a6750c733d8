"""The page, the golden episodes and the scripted scores of each environment family, made from the code."""
