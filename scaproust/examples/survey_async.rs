//! As survey, in tasks, and with two surveys at the same time.

use std::thread;
use std::time::Duration;

use scaproust::{Answers, Error, Respondent, Surveyor};

async fn count(mut answers: Answers) -> Result<usize, Error> {
    let mut count = 0;
    while let Some(answer) = answers.next_async().await {
        println!("{}", String::from_utf8_lossy(&answer?));
        count += 1;
    }
    Ok(count)
}

async fn respond(respondent: Respondent, number: usize) -> Result<(), Error> {
    for _ in 0..2 {
        let (survey, reply) = respondent.accept_async().await?;
        reply.send(format!("{} Respondent {number}.", String::from_utf8_lossy(&survey)))?;
    }
    Ok(())
}

fn main() -> Result<(), Error> {
    let surveyor = Surveyor::new()?;
    surveyor.set_survey_deadline(Some(Duration::from_secs(1)))?;
    let address = surveyor.bind("tcp://127.0.0.1:0")?.address()?;
    let respondents = [Respondent::new()?, Respondent::new()?, Respondent::new()?];
    for respondent in &respondents {
        respondent.connect(&address)?;
    }
    // A respondent that is connected later does not get the surveys.
    while surveyor.statistics()?.connections < 3 {
        thread::yield_now();
    }
    let executor = smol::Executor::new();
    smol::block_on(executor.run(async {
        let responding: Vec<_> = (1..)
            .zip(respondents)
            .map(|(number, respondent)| executor.spawn(respond(respondent, number)))
            .collect();
        let surveys = ["Who is there?", "And who is ready?"].map(|question| surveyor.survey(question));
        for survey in surveys.map(|survey| survey.map(|answers| executor.spawn(count(answers)))) {
            assert_eq!(survey?.await?, 3);
        }
        for respondent in responding {
            respondent.await?;
        }
        Ok(())
    }))
}
