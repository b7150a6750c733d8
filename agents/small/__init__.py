"""Small policies trained by plain policy gradient with `turnenv.credit`'s estimators, on exactly solvable tasks."""
