"""What an environment is on AWS, as plain data; besides that, the questions that our own code asks AWS."""
