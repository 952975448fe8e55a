"""Service that measures the quality of models' answers: joins predictions with the labels that arrive later."""
